"""REST client and ladder of the lab: those of cscfctl."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "cscfctl"))

import ctlladder	# noqa: E402,F401  pylint: disable=wrong-import-position,unused-import
from ctlrest import Rest, RestError, problem_text, segment	# noqa: E402,F401  pylint: disable=wrong-import-position,unused-import
