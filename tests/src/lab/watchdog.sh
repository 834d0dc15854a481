# Outlives the process that started it by a moment and leaves nothing of it behind. Reads what there
# is to clean up, a line each; when its standard input ends, however that came about, it cleans up.
groups=
folders=
mounts=
while read -r verb what; do
    case $verb in
    watch) groups="$groups $what" ;;
    forget)
        kept=
        for group in $groups; do [ "$group" = "$what" ] || kept="$kept $group"; done
        groups=$kept
        ;;
    folder) folders="$folders $what" ;;
    mount) mounts="$mounts $what" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for mount in $mounts; do umount -l "$mount" 2>/dev/null; done
for folder in $folders; do rm -rf -- "$folder"; done
