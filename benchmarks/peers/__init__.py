"""Small programs that do the same on other task queues, as a Python team might write them.

The connector imports nothing from here. `registry` has the commands that start them.
"""
