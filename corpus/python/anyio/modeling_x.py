import anyio


async def main():
    await anyio.run_process('echo weighin')


anyio.run(main)
