"""Benchmarks: the budgets of the README, each measured beside what it is compared with. ``python -m bench``"""
