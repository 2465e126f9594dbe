"""What is wrong with a dataset: files, copies, sizes, classes, labels, strangers."""
