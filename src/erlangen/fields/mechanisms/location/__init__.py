"""Facility location: rules that choose places for people who report where they are."""
