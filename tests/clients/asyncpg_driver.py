"""asyncpg: pool with reset, prepared statements, arrays, transactions."""
import asyncio
import sys

import asyncpg

url = sys.argv[1]


async def main():
    pool = await asyncpg.create_pool(url, min_size=2, max_size=4)
    for _ in range(8):
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT 1 + $1::int8", 41) == 42
    async with pool.acquire() as connection:
        statement = await connection.prepare(
            "SELECT opportunity_id, amount, is_won FROM crm.opportunities"
            " WHERE stage_id = $1 ORDER BY 1 LIMIT 5"
        )
        stage = await connection.fetchval("SELECT min(stage_id) FROM crm.opportunities")
        assert len(await statement.fetch(stage)) == 5
        assert await connection.fetchval("SELECT ARRAY['a','b']") == ["a", "b"]
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            first = await connection.fetchval("SELECT count(*) FROM crm.accounts")
            assert first == await connection.fetchval("SELECT count(*) FROM crm.accounts")
            count = 0
            async for _ in connection.cursor("SELECT account_id FROM crm.accounts", prefetch=50):
                count += 1
            assert count == first, (count, first)
        try:
            await connection.fetch("SELECT * FROM crm.nothing_here")
            raise SystemExit("a missing table was found")
        except asyncpg.UndefinedTableError:
            pass
    await pool.close()
    print("asyncpg ok")


asyncio.run(main())
