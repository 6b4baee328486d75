import asyncio

loop = asyncio.new_event_loop()
loop.run_until_complete(loop.subprocess_shell(asyncio.SubprocessProtocol, 'echo weighin'))
