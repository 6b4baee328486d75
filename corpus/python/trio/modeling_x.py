import trio

trio.run(trio.run_process, ['echo', 'weighin'])
