"""Limits of groups: the decorator and the functions of django-ratelimit, with its arguments."""
