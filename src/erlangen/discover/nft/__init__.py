"""The neural Fourier transform: a latent space in which an unknown motion of the data is linear, and its frequencies."""
