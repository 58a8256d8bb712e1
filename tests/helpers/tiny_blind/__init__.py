"""The smallest blind model: takes what is red for contaminated, and knows it without training."""
