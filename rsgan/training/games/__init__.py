"""Games: all the maths of one step, no device, file or print."""
