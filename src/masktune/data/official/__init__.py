"""The official data sets, read in the layouts in which they are given out; one file a data set."""
