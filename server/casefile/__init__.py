"""The case file (案卷): one matter with everything about it, and what people of the office do with it."""
