"""Errors that a user can correct."""


class InputError(ValueError):
    """An error in the user's input: one line with what was found, what was expected and the remedy.

    The command line prints the message alone and exits with status 2; library users catch it as a ``ValueError``.
    """
