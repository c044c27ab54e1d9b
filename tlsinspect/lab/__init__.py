"""Certificates and authorities for the demonstration and the tests, made afresh in memory on every run.

Nothing here is used to judge anybody: the judgement never imports this package.  It holds no key and no certificate;
it only knows the shapes of those that are met in the field.
"""
