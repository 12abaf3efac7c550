"""Every error that rsgan raises on purpose: one root, one child per thing that a user can put right."""


class RsganError(Exception):
    """Root of all rsgan errors; the command line prints its message and exits with status 1."""


class InputError(RsganError):
    """A file cannot be read or holds what the command cannot work on."""


class BandError(RsganError):
    """Bands are missing, ambiguous or too many."""


class GridError(RsganError):
    """Grids, coordinate systems or extents do not fit."""


class OutputError(RsganError):
    """The result cannot be written where it was asked for."""


class OutputExistsError(OutputError):
    """There is a file of the result's name already."""


class ModelError(RsganError):
    """A model file is missing, damaged or does not fit the scene."""


class ConfigError(RsganError):
    """A configuration file or value is wrong."""


class RsganWarning(UserWarning):
    """Something was assumed about a scene that its owner should know."""
