"""The robot's environment by its name in gymnasium."""

from __future__ import annotations

import importlib.util

from erlangen.extras import engine

ID = "erlangen/RadialRobot-v0"


def register() -> None:
    """Make the environment's name known, where gymnasium is installed; its module is imported when one is made.

    Gymnasium asks no installed package for its environments, so this is done when the robots are imported.
    """
    if importlib.util.find_spec("gymnasium") is None:
        return
    registration = engine("robots", "gymnasium.envs.registration")
    if ID not in registration.registry:
        registration.register(
            id=ID,
            entry_point="erlangen.fields.robots.env:RadialRobot",
            vector_entry_point="erlangen.fields.robots.vector_env:RadialRobots",
        )
