"""A Discord of our own on loopback: gateway, REST and CDN, that the real discord.py client talks to.

    world = World.small()                       # a guild with channels, threads, people and history
    async with Fake(world) as fake:
        with fake.redirect():                   # discord.py's addresses point here until the block ends
            client = discord.Client(intents=discord.Intents.default())
            async with fake.connected(client):  # logged in and ready; closed at the end
                general = world.guild.channel("general")
                said = fake.say(world.guild.member("member"), general, "hello")
                await fake.wait_for(lambda: fake.posted(general))
                asked = fake.slash(world.guild.member("member"), general, "mark", {"debug": True})
                await fake.wait_for(lambda: fake.answers(asked))
                assert fake.posted(general)[0].content == "hi"

People act by methods of `Fake` (`say`, `edit`, `delete`, `slash`, `press`, `choose`, ...), which change the world and
send what Discord would send. Faults are in `fake.faults` (REST), `fake.gateway` (connections) and `fake.cdn`; the clock
in `world.clock.advance(seconds)`; rate limits come with `Fake(world, limits=Limits.real())`. As a process of its own:
`python -m tests.chat.discord --help`.
"""
