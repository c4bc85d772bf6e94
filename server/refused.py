"""The one error with which a service refuses what an administrator asked for."""


class RefusedError(Exception):
    """Nothing was changed. The text is one sentence or two: what was expected, what came, the next step.

    It is shown as it is, so it never holds a secret, a driver's text or what a citizen said.
    """
