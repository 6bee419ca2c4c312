//! Images of your own: NumPy arrays, and folders of PNG and JPEG files.
