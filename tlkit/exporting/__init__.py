"""The exported model and its verification."""
