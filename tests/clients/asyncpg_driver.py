"""asyncpg: pool with reset, prepared statements, arrays, transactions."""
import asyncio
import datetime
import io
import os
import sys
from decimal import Decimal

import asyncpg

url = sys.argv[1]
company = os.environ
deals = int(company["OPPORTUNITIES"])


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
        row = await connection.fetchrow("SELECT amount, close_date, is_won, probability, push_count FROM crm.opportunities WHERE opportunity_id = $1", company["FIRST_OPPORTUNITY"])
        assert row["amount"] == Decimal(company["FIRST_OPPORTUNITY_AMOUNT"]), row
        assert row["close_date"] == datetime.date(2023, 5, 7) and row["is_won"] is False, row
        assert await connection.fetchval("SELECT count(*) FROM crm.opportunities WHERE opportunity_id = ANY($1::text[])", [company["FIRST_OPPORTUNITY"], "x"]) == 1
        out = io.BytesIO()
        assert await connection.copy_from_query("SELECT opportunity_id FROM crm.opportunities", output=out) == f"COPY {deals}"
        assert len(out.getvalue().splitlines()) == deals
        binary = io.BytesIO()
        await connection.copy_from_query("SELECT amount FROM crm.opportunities", output=binary, format="binary")
        assert binary.getvalue().startswith(b"PGCOPY")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            first = await connection.fetchval("SELECT count(*) FROM crm.accounts")
            assert first == await connection.fetchval("SELECT count(*) FROM crm.accounts")
            count = 0
            async for _ in connection.cursor("SELECT account_id FROM crm.accounts", prefetch=50):
                count += 1
            assert count == first == int(company["ACCOUNTS"]), (count, first)
        try:
            await connection.fetch("SELECT * FROM crm.nothing_here")
            raise SystemExit("a missing table was found")
        except asyncpg.UndefinedTableError:
            pass
    await pool.close()
    print(f"  asyncpg {asyncpg.__version__}: pool with reset, arrays, cursors in a transaction, copy_from_query")


asyncio.run(main())
