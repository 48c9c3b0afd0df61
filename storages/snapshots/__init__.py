"""All annotated tasks of a project at one moment, written to a target to train on, and to be imported again."""
