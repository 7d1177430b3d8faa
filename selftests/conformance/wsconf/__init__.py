# SPDX-License-Identifier: GPL-2.0
"""Conformance suite for RFC 6455: a runner, and a catalogue of cases."""
