"""Real workers, a real database and a real queue, killed, cut off and paused at random; what is stored in the end is compared."""
