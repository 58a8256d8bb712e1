"""AdaIN (Huang and Belongie 2017): paints in any style by mean and deviation of a VGG's features."""
