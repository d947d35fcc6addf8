# What require: tasks names.
