"""From events to arrays that networks take: frames, voxel grids, time surfaces."""
