"""Vendors that live on this machine: they speak the real wire protocols, so the adapters run against them unmodified.

``python -m sandbox.simulators`` serves all of them; a person decides on their pages what becomes of a payment. Tests
start them in a thread (:func:`sandbox.simulators.base.serve`) and script them.
"""
