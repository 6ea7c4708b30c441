"""Tests of the measuring itself: never of how fast anything is."""
