"""Compiled passes over tried points: rambo.h, jets.h and guide.h."""
