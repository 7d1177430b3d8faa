# SPDX-License-Identifier: GPL-2.0
"""The cases, a module for each group."""
