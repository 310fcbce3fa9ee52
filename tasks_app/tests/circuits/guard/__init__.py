"""The guard: a second interpreter of OpenQASM 3, and whole programs on which both must agree.

It is written from the specification alone and shares no code with the product: plain Python
integers, a NumPy state, one run for each sequence of measured bits.
"""
