"""Reading inputs of every kind and writing files whole or not at all."""
