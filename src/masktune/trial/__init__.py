"""The controlled trial on one's own data: arms, guard, verdict."""
