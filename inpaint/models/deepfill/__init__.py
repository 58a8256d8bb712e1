"""DeepFillv2: free-form inpainting with gated convolution."""
