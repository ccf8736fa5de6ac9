"""Bad model files, made from a good one."""
