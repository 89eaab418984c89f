"""The files of a data set directory, and the accounting of what is not used."""
