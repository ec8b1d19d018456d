"""The judge of recorded traffic: does every exchange pass through our dialects without loss?"""
