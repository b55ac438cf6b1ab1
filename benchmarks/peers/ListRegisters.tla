--------------------------- MODULE ListRegisters ---------------------------
\* The model of benchmarks/list_registers.py, for TLC: the same 31 actions and four invariants.
EXTENDS Naturals

VARIABLES pend, line, flight, target, inside, id, st, used
vars == <<pend, line, flight, target, inside, id, st, used>>

IRQS == 1..4
LEVEL == 4
VCPUS == 1..2
SLOTS == 1..2
Owner(i) == IF i = 1 THEN target ELSE IF i = 2 THEN 1 ELSE 2

Init ==
    /\ pend = [i \in IRQS |-> 0] /\ line = 0 /\ flight = 0 /\ target = 1
    /\ inside = [v \in VCPUS |-> 0]
    /\ id = [v \in VCPUS |-> [s \in SLOTS |-> 0]]
    /\ st = [v \in VCPUS |-> [s \in SLOTS |-> 0]]
    /\ used = [v \in VCPUS |-> [s \in SLOTS |-> 0]]

Holds(v, i) == \E s \in SLOTS : id[v][s] = i
Place(v, i) == CHOOSE s \in SLOTS : id[v][s] = i
Ended(v) == \E s \in SLOTS : id[v][s] # 0 /\ st[v][s] = 0
Full(v) == \A s \in SLOTS : used[v][s] = 1
Free(v) == CHOOSE s \in SLOTS : used[v][s] = 0 /\ \A t \in SLOTS : used[v][t] = 0 => s <= t
Active(v) == \E s \in SLOTS : st[v][s] >= 2

Edge(i) ==
    /\ i # LEVEL /\ pend[i] = 0
    /\ pend' = [pend EXCEPT ![i] = 1]
    /\ UNCHANGED <<line, flight, target, inside, id, st, used>>

Level(l) ==
    /\ line # l /\ line' = l
    /\ pend' = [pend EXCEPT ![LEVEL] = l]
    /\ UNCHANGED <<flight, target, inside, id, st, used>>

Move(v) ==
    /\ target = v /\ ~Holds(v, 1) /\ target' = 3 - v
    /\ UNCHANGED <<pend, line, flight, inside, id, st, used>>

Flush(v, i) ==
    /\ inside[v] = 0 /\ ~Ended(v) /\ pend[i] = 1 /\ Owner(i) = v
    /\ i = LEVEL => flight = 0
    /\ \/ /\ Holds(v, i)
          /\ st' = [st EXCEPT ![v][Place(v, i)] = IF @ >= 2 THEN 3 ELSE 1]
          /\ UNCHANGED <<id, used>>
       \/ /\ ~Holds(v, i) /\ ~Full(v)
          /\ id' = [id EXCEPT ![v][Free(v)] = i]
          /\ st' = [st EXCEPT ![v][Free(v)] = 1]
          /\ used' = [used EXCEPT ![v][Free(v)] = 1]
    /\ IF i = LEVEL THEN flight' = 1 /\ pend' = pend ELSE pend' = [pend EXCEPT ![i] = 0] /\ flight' = flight
    /\ UNCHANGED <<line, target, inside>>

Sync(v, i) ==
    /\ inside[v] = 0 /\ Holds(v, i) /\ st[v][Place(v, i)] = 0
    /\ id' = [id EXCEPT ![v][Place(v, i)] = 0]
    /\ used' = [used EXCEPT ![v][Place(v, i)] = 0]
    /\ IF i = LEVEL THEN flight' = 0 /\ pend' = [pend EXCEPT ![i] = line] ELSE UNCHANGED <<flight, pend>>
    /\ UNCHANGED <<line, target, inside, st>>

Enter(v) ==
    /\ inside[v] = 0 /\ ~Ended(v) /\ inside' = [inside EXCEPT ![v] = 1]
    /\ UNCHANGED <<pend, line, flight, target, id, st, used>>

Leave(v) ==
    /\ inside[v] = 1 /\ inside' = [inside EXCEPT ![v] = 0]
    /\ UNCHANGED <<pend, line, flight, target, id, st, used>>

Acknowledge(v) ==
    /\ inside[v] = 1 /\ ~Active(v)
    /\ \E s \in SLOTS : st[v][s] = 1
    /\ LET s == CHOOSE s \in SLOTS : st[v][s] = 1 /\ \A t \in SLOTS : st[v][t] = 1 => s <= t
       IN st' = [st EXCEPT ![v][s] = 2]
    /\ UNCHANGED <<pend, line, flight, target, inside, id, used>>

Complete(v) ==
    /\ inside[v] = 1 /\ Active(v)
    /\ LET s == CHOOSE s \in SLOTS : st[v][s] >= 2 IN st' = [st EXCEPT ![v][s] = @ - 2]
    /\ UNCHANGED <<pend, line, flight, target, inside, id, used>>

Next ==
    \/ \E i \in IRQS : Edge(i)
    \/ \E l \in 0..1 : Level(l)
    \/ \E v \in VCPUS : Move(v) \/ Enter(v) \/ Leave(v) \/ Acknowledge(v) \/ Complete(v)
    \/ \E v \in VCPUS, i \in IRQS : Flush(v, i) \/ Sync(v, i)

Spec == Init /\ [][Next]_vars

Once ==
    \A v \in VCPUS, w \in VCPUS, s \in SLOTS, t \in SLOTS :
        id[v][s] # 0 /\ id[v][s] = id[w][t] => v = w /\ s = t
Flown == flight = 1 => Holds(2, LEVEL)
Counted == \A v \in VCPUS, s \in SLOTS : (used[v][s] = 1) = (id[v][s] # 0)
Running == \A v \in VCPUS : ~(st[v][1] >= 2 /\ st[v][2] >= 2)
=============================================================================
