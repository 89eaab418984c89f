"""What frozen layers say of pictures: computed once, kept, looked up."""
