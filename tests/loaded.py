"""What processes of the tests begin with: everything of the server is loaded, and nothing has begun.

Loading it took more than half of the time of every command and of every server that the tests start.
"""

import gc

gc.disable()
import server.cli  # noqa: E402
import server.serving  # noqa: E402

gc.freeze()
gc.enable()
main = server.cli.main
