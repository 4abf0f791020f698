"""Rigid transforms and cameras."""
