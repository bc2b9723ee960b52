"""Kernel backends: who runs a neuron's step, and why. Provisional until two vendors use it."""
