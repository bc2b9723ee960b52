"""The conformance kits, one class per kind of component. Needs ``snncore[testing]``.

A plugin's test adopts a kit by naming its component::

    from snncore.testing.neuron import NeuronConformance

    class TestGLIF(NeuronConformance):
        component = "snn-glif/glif"
        variants = [{}, {"v_reset": None}]

This module stays empty, so that pytest can rewrite the asserts of the kits.
"""
