"""Krita's plug-in: Tools > Scripts > Cut out with deepmatte."""

from krita import Krita

from .cut_out import CutOut

Krita.instance().addExtension(CutOut(Krita.instance()))
