"""What a user can put right."""


class InputError(ValueError):
    """A fault in what the user gave: one line with what was found, what was expected and the remedy.

    The command line prints the message alone and exits with status 2; library users catch it as a ``ValueError``.
    """
