//! Helpers for tests that need real servers: free ports, temporary folders, a real `redis-server`.
