"""Whether it is right: the numpy meaning of a plan, and the comparison with what engines found."""
