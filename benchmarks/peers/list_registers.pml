/* The model of benchmarks/list_registers.py, for Spin: the same 31 actions and four invariants. */

#define LEVEL 4
#define OWNER(i) (i == 1 -> target : (i == 2 -> 0 : 1))
#define A (2 * v)
#define B (2 * v + 1)
#define ENDED (id[A] && !st[A] || id[B] && !st[B])
#define HOLDS(i) (id[A] == i || id[B] == i)

bit pend[5], line, flight, target, inside[2], used[4];
byte id[4], st[4];

inline check() {
    assert(!(id[0] && (id[0] == id[1] || id[0] == id[2] || id[0] == id[3])));
    assert(!(id[1] && (id[1] == id[2] || id[1] == id[3])) && !(id[2] && id[2] == id[3]));
    assert(!flight || id[2] == LEVEL || id[3] == LEVEL);
    assert(used[0] == (id[0] != 0) && used[1] == (id[1] != 0) && used[2] == (id[2] != 0) && used[3] == (id[3] != 0));
    assert(!(st[0] >= 2 && st[1] >= 2) && !(st[2] >= 2 && st[3] >= 2))
}

inline put_in(v, i) {
    if
    :: id[A] == i -> st[A] = (st[A] >= 2 -> 3 : 1)
    :: id[B] == i -> st[B] = (st[B] >= 2 -> 3 : 1)
    :: !HOLDS(i) && !used[A] -> id[A] = i; st[A] = 1; used[A] = 1
    :: !HOLDS(i) && used[A] -> id[B] = i; st[B] = 1; used[B] = 1
    fi;
    if
    :: i == LEVEL -> flight = 1
    :: else -> pend[i] = 0
    fi
}

inline take_out(v, i) {
    if
    :: id[A] == i -> id[A] = 0; used[A] = 0
    :: else -> id[B] = 0; used[B] = 0
    fi;
    if
    :: i == LEVEL -> flight = 0; pend[i] = line
    :: else
    fi
}

#define FLUSH(i) :: d_step { !inside[v] && !ENDED && pend[i] && OWNER(i) == v && (i != LEVEL || !flight) && (HOLDS(i) || !used[A] || !used[B]) -> put_in(v, i); check() }
#define SYNC(i) :: d_step { !inside[v] && (id[A] == i && !st[A] || id[B] == i && !st[B]) -> take_out(v, i); check() }
#define EDGE(i) :: d_step { !pend[i] -> pend[i] = 1; check() }

proctype devices() {
    do
    EDGE(1)
    EDGE(2)
    EDGE(3)
    :: d_step { !line -> line = 1; pend[LEVEL] = 1; check() }
    :: d_step { line -> line = 0; pend[LEVEL] = 0; check() }
    od
}

proctype vcpu(byte v) {
    do
    :: d_step { target == v && !HOLDS(1) -> target = 1 - v; check() }
    FLUSH(1) FLUSH(2) FLUSH(3) FLUSH(4)
    SYNC(1) SYNC(2) SYNC(3) SYNC(4)
    :: d_step { !inside[v] && !ENDED -> inside[v] = 1; check() }
    :: d_step { inside[v] -> inside[v] = 0; check() }
    :: d_step { inside[v] && st[A] < 2 && st[B] < 2 && (st[A] == 1 || st[B] == 1) -> if :: st[A] == 1 -> st[A] = 2 :: else -> st[B] = 2 fi; check() }
    :: d_step { inside[v] && (st[A] >= 2 || st[B] >= 2) -> if :: st[A] >= 2 -> st[A] = st[A] - 2 :: else -> st[B] = st[B] - 2 fi; check() }
    od
}

init { atomic { run devices(); run vcpu(0); run vcpu(1) } }
