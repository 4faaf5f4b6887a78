import java.rmi.Remote;
import java.rmi.RemoteException;

public interface Echo extends Remote {
    long echo(long number) throws RemoteException;
}
