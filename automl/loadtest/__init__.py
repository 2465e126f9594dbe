"""How many pictures a scoring service answers, and how quickly.

The requests are made by Locust, which replaces Python's sockets by gevent's: it runs in processes
of its own (`generator`), which with `sender` are the only modules that import it.
"""

from automl.loadtest.objective import Objective
from automl.loadtest.result import Answer, LoadTest
from automl.loadtest.run import load_test

__all__ = ["Answer", "LoadTest", "Objective", "load_test"]
